#!/bin/sh
# burn_cpu ROUNDS: keep one CPU busy for ROUNDS rounds of arithmetic, then say so.
rounds=${1:-100000}
i=0
while [ "$i" -lt "$rounds" ]; do i=$((i + 1)); done
echo "burnt $rounds rounds"
