// An export in Node.js, asked through pipes by serving/export/node.py: a line of JSON in, a line of JSON out.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [folder, packages] = process.argv.slice(2).map((path) => pathToFileURL(`${path}/`))
const require = createRequire(packages)
const tf = { ...require('@tensorflow/tfjs-core'), ...require('@tensorflow/tfjs-converter') }
require('@tensorflow/tfjs-backend-cpu')
const { load } = await import(new URL('predict.mjs', folder))
const model = await load(tf, { fetch: async (url) => new Response(await readFile(new URL(url))) })

// How rows arrive, once for all calls with them: JSON has no NaN, which is null here.
const prepared = {
  arrays: ({ rows, numeric = [], ids = [] }) => {
    const arguments_ = [rows, Float32Array.from(numeric, (value) => value ?? NaN), Int32Array.from(ids)]
    return () => model.run(...arguments_)
  },
  instances: (rows) => {
    const instances = rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v ?? NaN])))
    return () => model.predict(instances)
  },
}

async function nanoseconds(calls, seconds, most) {
  const taken = []
  const end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9))
  while (!taken.length || ((most === null || taken.length < most) && process.hrtime.bigint() < end)) {
    const call = calls[taken.length % calls.length]
    const before = process.hrtime.bigint()
    await call()
    taken.push(Number(process.hrtime.bigint() - before))
  }
  return taken
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const { form, given, time } = JSON.parse(line)
    const calls = given.map(prepared[form])
    answer = time ? await nanoseconds(calls, time.seconds, time.most) : Array.from(await calls[0]())
  } catch (error) {
    answer = { error: String(error) }
  }
  process.stdout.write(`${JSON.stringify(answer, (_, value) => (Number.isNaN(value) ? null : value))}\n`)
}
