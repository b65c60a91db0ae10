#!/usr/bin/env -S bun --no-env-file --no-install
/** The installed command. On Deno: `deno run -A --unstable-net npm:ringcorn`, or `deno task serve`. */
import "../src/cli/main.ts";
