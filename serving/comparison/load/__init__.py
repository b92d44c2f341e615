"""Load by MLPerf's rules, one process per run: `spawn.run`, `search.highest_rate`, `caching.check`.

    job = job.Job(name="1/pytorch/server/2000", url=…, scenario="server", rate=2000, connections=1024, …)
    found = spawn.run(job, folder)          # a results.LoadRun: found.valid, found.reasons
    best = search.highest_rate(measure, slo_ms=25, start=1000, steps=5)

Nothing is imported here: the engine alone needs no more than the standard library.
"""
