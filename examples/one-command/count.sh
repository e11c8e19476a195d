#!/bin/sh
# How many commands it takes to learn what went wrong in five services: one for each of them, or one for all.
#
#   sh examples/one-command/count.sh [FOLDER]
#
# The logs are a made-up day that logpith writes itself. Each command by hand reads one service's log; in real life each
# would be a log-in to another machine. What is counted: commands, services in which something was found, and tokens (a
# token being 4 bytes) of what somebody then has to read.
set -eu

logpith=${LOGPITH:-logpith}
folder=${1:-$(mktemp -d)}
services="gateway voice-pipeline db-proxy persona-manager postgres"

$logpith demo --dir "$folder/day" --lines 20000 --seed 7 --end 2026-11-20T22:00:00Z --no-tour >"$folder/demo.txt"

by_hand=0
found_by_hand=0
for service in $services; do
  by_hand=$((by_hand + 1))
  if grep -Ei 'error|quota|failed' "$folder/day/$service.log" >>"$folder/by-hand.txt"; then
    found_by_hand=$((found_by_hand + 1))
  fi
done

with_logpith=1
set --
for service in $services; do set -- "$@" "$folder/day/$service.log"; done
$logpith search 'error* OR quota* OR failed' "$@" --json >"$folder/with-logpith.txt"

found=0
for service in $services; do
  if grep -q "\"$service\":" "$folder/with-logpith.txt"; then found=$((found + 1)); fi
done

tokens() { echo $((($(wc -c <"$1") + 3) / 4)); }
echo "by hand: $by_hand commands, $found_by_hand services, $(tokens "$folder/by-hand.txt") tokens"
echo "with logpith: $with_logpith command, $found services, $(tokens "$folder/with-logpith.txt") tokens"
