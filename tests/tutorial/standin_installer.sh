#!/bin/sh
# A stand-in for the Anaconda installer, for machines that can't reach its host: understands
# -b (no questions) and -p PREFIX, and makes PREFIX with Python and JupyterLab from the package index.
set -e
echo "This is a stand-in for the Anaconda installer: it installs Python and JupyterLab only."
prefix=${HOME:-/root}/anaconda3
batch=0
while getopts bfhp:sut option; do
  case $option in
    b) batch=1 ;;
    p) prefix=$OPTARG ;;
    h) echo "usage: $0 [-b] [-p PREFIX]"; exit 0 ;;
    *) ;;
  esac
done
if [ "$(uname -m)" != x86_64 ]; then
  echo "ERROR: this installer is for x86_64, and this machine is $(uname -m)" >&2
  exit 1
fi
if [ "$batch" != 1 ]; then
  echo "ERROR: nobody is here to answer questions; give -b" >&2
  exit 2
fi
if [ -e "$prefix" ]; then
  echo "ERROR: File or directory already exists: '$prefix'" >&2
  exit 1
fi
apt-get install -y --no-install-recommends python3 python3-venv > /dev/null
python3 -m venv "$prefix"
"$prefix/bin/pip" install --no-cache-dir --no-compile --quiet jupyterlab
echo "installation finished."
exit 0
