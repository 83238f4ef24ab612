# Sourced by check.sh and test.sh: names each step as it begins, and says at the end how it went.
# The script that sources it sets $gate to its own name.

current=setup

step() {
  current=$1
  shift
  printf '\n== %s\n' "$current"
  "$@"
}

close() {
  status=$?
  if [ "$status" -eq 0 ]; then
    printf '\n%s: passed\n' "$gate"
  else
    printf '\n%s: FAILED at: %s\n' "$gate" "$current"
  fi
  exit "$status"
}
trap close EXIT
