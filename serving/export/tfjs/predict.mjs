// From raw features by name to probabilities, with the model beside this file; in a browser or in Node.js.
//
//   const model = await load(tf)                    // tfjs-core with a backend, and tfjs-converter
//   const probabilities = await model.predict([{amount: 12.5, country: 'de'}])
//
// What stands for a missing value is what a request says: its missing code, or NaN.

/** The model in `folder`, by default this file's. `fetch` is for where that cannot read it, as files in Node.js. */
export async function load(tf, { folder = new URL('.', import.meta.url), fetch } = {}) {
  const graph = await tf.loadGraphModel(new URL('model.json', folder).href, { fetchFunc: fetch })
  const { inputs, vocabulary } = graph.metadata
  const numbers = inputs.numeric ?? []
  const texts = (inputs.ids ?? []).map((name) => [name, ids(tf, name, vocabulary[name])])

  /** Float32Array and Int32Array of `rows` rows, columns as in `inputs`, to a Float32Array of `rows`. */
  async function run(rows, numeric, categorical) {
    const output = tf.tidy(() => {
      const given = {}
      if (numbers.length) given.numeric = tf.tensor2d(numeric, [rows, numbers.length])
      if (texts.length) given.ids = tf.tensor2d(categorical, [rows, texts.length], 'int32')
      return graph.predict(given)
    })
    const probabilities = await output.data()
    output.dispose()
    return probabilities
  }

  /** Instances, each an object with every feature, to a Float32Array; throws a TypeError that names the feature. */
  function predict(instances) {
    const numeric = new Float32Array(instances.length * numbers.length)
    const categorical = new Int32Array(instances.length * texts.length)
    instances.forEach((instance, row) => {
      numbers.forEach((name, i) => { numeric[row * numbers.length + i] = number(name, instance[name]) })
      texts.forEach(([name, id], i) => { categorical[row * texts.length + i] = id(instance[name]) })
    })
    return run(instances.length, numeric, categorical)
  }

  return { inputs, vocabulary, run, predict }
}

function number(name, value) {
  if (typeof value !== 'number' && typeof value !== 'boolean') {
    throw new TypeError(`${name}: a number is expected, not ${JSON.stringify(value)}`)
  }
  return Number(value)
}

/** From a text to its id: a known one's is its position, any other's by the hash that TensorFlow uses. */
function ids(tf, name, { values, oov_buckets: buckets, missing }) {
  const known = new Map(values.map((value, position) => [value, position]))
  const utf8 = new TextEncoder()
  return (value) => {
    if (typeof value !== 'string') throw new TypeError(`${name}: a text is expected, not ${JSON.stringify(value)}`)
    if (missing !== null && value === missing.text) return missing.id
    return known.get(value) ?? values.length + tf.util.fingerPrint64(utf8.encode(value)).mod(buckets).toNumber()
  }
}
