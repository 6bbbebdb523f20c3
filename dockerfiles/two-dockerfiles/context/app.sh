echo "running in $STAGE"
