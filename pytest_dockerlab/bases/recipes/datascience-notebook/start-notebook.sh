#!/bin/sh
# The older name of start-notebook.py.
exec /usr/local/bin/start-notebook.py "$@"
