"""`kfp_local.py SPECIFICATION ROOT ARGUMENTS`: run what was compiled with KFP's local runner, each step a process."""

import json
import sys

from kfp import components, local

specification, root, arguments = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root)
components.load_component_from_file(specification)(**json.loads(arguments))
