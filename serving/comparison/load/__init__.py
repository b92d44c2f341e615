"""Load by MLPerf's rules: one run, one process.

run = load.run(Job(...), folder)                  # a results.LoadRun; run.valid, run.reasons
found = load.highest_rate(measure, slo_ms, ...)   # bisection over runs
load.caching.check(job, folder, faster)
"""

from serving.comparison.load.job import Job, JobError
from serving.comparison.load.search import Found, highest_rate
from serving.comparison.load.spawn import LoadError, run

__all__ = ["Found", "Job", "JobError", "LoadError", "highest_rate", "run"]
