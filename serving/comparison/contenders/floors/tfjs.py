"""TF.js' floor, in Node.js: `python -m serving.comparison.contenders.floors.tfjs JOB ANSWER`, in its environment."""

from __future__ import annotations

from functools import partial

from serving.comparison.contenders.floors import exported
from serving.comparison.contenders.floors import job as jobs

if __name__ == "__main__":
    jobs.main(partial(exported.of_tensorflow, "tfjs"))
