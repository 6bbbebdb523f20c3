#!/opt/conda/bin/python
"""Starts the notebook server on all addresses of the container; arguments go to the server."""

import os
import shlex
import sys

command = ["jupyter", os.environ.get("DOCKER_STACKS_JUPYTER_CMD", "lab"), "--ip=0.0.0.0", "--no-browser"]
command += [f"--port={os.environ['JUPYTER_PORT']}"] if os.environ.get("JUPYTER_PORT") else []
command += shlex.split(os.environ.get("NOTEBOOK_ARGS", ""))
command += sys.argv[1:]
os.execvp(command[0], command)
