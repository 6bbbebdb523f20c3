#!/bin/sh
# eat_memory SIZE: hold SIZE bytes ("200M") in memory, then say so.
# tail keeps all it may have to print, and it may have to print everything.
size=${1:-200M}
head -c "$size" /dev/zero | tail -c "$size" > /dev/null || exit $?
echo "ate $size"
