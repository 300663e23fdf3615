#!/bin/sh
# Finds or installs a Chromium for the browser tests; says plainly what is missing where it cannot.
set -u
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if .venv/bin/python -c 'import sys
from playwright.sync_api import sync_playwright
import os
with sync_playwright() as p:
    sys.exit(not os.path.exists(p.chromium.executable_path))' 2>/dev/null; then exit 0; fi
run=""
if [ "$(id -u)" = 0 ]; then run="env"; elif sudo -n true 2>/dev/null; then run="sudo -n"; fi
if [ -n "$run" ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's Chromium for the browser tests …"
  log=$(mktemp)
  if $run apt-get update -qq >"$log" 2>&1 \
    && $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >>"$log" 2>&1; then
    rm -f "$log"; exit 0
  fi
  echo "apt-get could not install chromium; its last lines:"; tail -n 3 "$log"; rm -f "$log"
fi
echo "Fetching Playwright's own Chromium …"
if timeout 300 .venv/bin/python -m playwright install chromium >/dev/null 2>&1; then exit 0; fi
echo "No Chromium: the browser tests in tests/e2e cannot run here."
echo "Install one (Debian: apt-get install chromium) and run make test again."
