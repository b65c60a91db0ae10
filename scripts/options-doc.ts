/** Writes docs/options.md from the option table. Run it with either runtime after a change of src/cli/options.ts. */
import { writeFileSync } from "node:fs";
import { optionsDocument } from "../src/cli/parse.ts";

writeFileSync(new URL("../docs/options.md", import.meta.url), optionsDocument());
