#!/bin/sh
# Runs the command that the container was given, the notebook server by default.
if [ $# -eq 0 ]; then
    set -- start-notebook.py
fi
exec "$@"
