/** Real work: programs on a repository of many files, and the repository. */
import { isInstalled, run } from "./run_program.ts";

export interface Work {
  readonly name: string;
  /** The program without which there is nothing to measure. */
  readonly program: string;
  /** Shell text, run in the peer's folder, where `repository` is; `$1` is the folder with archives. */
  readonly command: string;
  /** What puts the folder back as it was; not counted. */
  readonly after?: string;
}

export const WORK: readonly Work[] = [
  { name: "tar", program: "tar", command: 'mkdir out; tar xf "$1/tree.tar" -C out', after: "rm -r out" },
  { name: "git_status", program: "git", command: "git -C repository status --short" },
  {
    name: "git_checkout",
    program: "git",
    command: "git -C repository checkout -q other",
    after: "git -C repository checkout -q main",
  },
  // It finds nothing, which is its exit code 1.
  { name: "grep", program: "grep", command: "! grep -r nowhere-to-be-found repository/src" },
  { name: "find", program: "find", command: "find repository -type f -size +1M" },
  {
    name: "build",
    program: "make",
    command: "make -s -j2 -C repository/build",
    after: "make -s -C repository/build clean",
  },
  {
    name: "sqlite",
    program: "sqlite3",
    command: "sqlite3 inserts.db < repository/inserts.sql",
    after: "rm inserts.db",
  },
  {
    name: "npm_ci",
    program: "npm",
    command: 'cd repository/project; npm ci --offline --no-audit --no-fund --cache "$1/npm" --loglevel=error',
    after: "rm -r repository/project/node_modules",
  },
];

const FILES_PER_FOLDER = 100;
const SOURCES = 12;
const INSERTS = 100;
const PACKAGES = 6;
const FILES_PER_PACKAGE = 20;

/** Why work cannot be done here, if so. */
export async function missingProgram({ program }: Work): Promise<string | undefined> {
  return await isInstalled(program) ? undefined : `${program} is not installed`;
}

/** Makes `directory/repository` with so many files, and archives beside it. */
export async function makeRepository(directory: string, files: number): Promise<void> {
  const repository = `${directory}/repository`;
  await Deno.mkdir(repository);
  await makeTree(repository, files);
  await run("tar", ["cf", `${directory}/tree.tar`, "-C", repository, "src"]);
  await makeBuild(repository);
  const inserts = Array.from({ length: INSERTS }, (_, nth) => `INSERT INTO rows VALUES (${nth}, 'row ${nth}');\n`);
  await Deno.writeTextFile(`${repository}/inserts.sql`, "CREATE TABLE rows (id, text);\n" + inserts.join(""));
  if (await isInstalled("npm")) await makeProject(directory, repository);
  if (await isInstalled("git")) await commit(repository);
}

/** Copies it to a peer. The first status writes the index, since a copy has other inodes. */
export async function copyRepository(directory: string, path: string): Promise<void> {
  await run("cp", ["-a", `${directory}/repository`, path]);
}

/** @throws when the shell fails. */
export async function runShell(directory: string, path: string, script: string): Promise<void> {
  await run("sh", ["-euc", script, "sh", directory], path);
}

async function makeTree(repository: string, files: number): Promise<void> {
  for (let folder = 0; folder < files / FILES_PER_FOLDER; folder++) {
    const path = `${repository}/src/${folder % 8}/${folder}`;
    await Deno.mkdir(path, { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      const line = `line of file ${file} in folder ${folder}\n`;
      await Deno.writeTextFile(`${path}/${file}.txt`, line.repeat(1 + (file * 7) % 300));
    }
  }
}

async function makeBuild(repository: string): Promise<void> {
  await Deno.mkdir(`${repository}/build`);
  const names = Array.from({ length: SOURCES }, (_, nth) => `part${nth}`);
  for (const name of names) {
    const text = `#include <stdio.h>\n#include <stdlib.h>\nint ${name}(int x) { return printf("%d", x); }\n`;
    await Deno.writeTextFile(`${repository}/build/${name}.c`, text);
  }
  const objects = names.map((name) => `${name}.o`).join(" ");
  const rules = `parts.a: ${objects}\n\tar rc $@ $^\nclean:\n\trm -f *.o *.a\n`;
  await Deno.writeTextFile(`${repository}/build/Makefile`, rules);
}

/** A project whose packages are archives beside the repository, so that no registry is asked. */
async function makeProject(directory: string, repository: string): Promise<void> {
  const project = `${repository}/project`;
  await Deno.mkdir(project);
  const dependencies: Record<string, string> = {};
  for (let nth = 0; nth < PACKAGES; nth++) {
    const name = `part-${nth}`;
    const path = `${directory}/${name}/package`;
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(`${path}/package.json`, JSON.stringify({ name, version: "1.0.0" }));
    for (let file = 0; file < FILES_PER_PACKAGE; file++) {
      await Deno.writeTextFile(`${path}/${file}.js`, `module.exports = ${file};\n`.repeat(20));
    }
    await run("tar", ["czf", `${directory}/${name}.tgz`, "-C", `${directory}/${name}`, "package"]);
    dependencies[name] = `file:${directory}/${name}.tgz`;
  }
  await Deno.writeTextFile(
    `${project}/package.json`,
    JSON.stringify({ name: "project", version: "1.0.0", dependencies }),
  );
  // Once, so that npm's cache has the packages: what is measured is not who comes first.
  const install = ["install", "--offline", "--no-audit", "--no-fund", "--cache", `${directory}/npm`];
  await run("npm", install, project);
  await Deno.remove(`${project}/node_modules`, { recursive: true });
}

/** Two branches, which differ in every tenth file, in a pack as after a clone. */
async function commit(repository: string): Promise<void> {
  // Tidying up would go on behind the copies.
  const git = "git -c maintenance.auto=false -c gc.auto=0 -c user.name=bench -c user.email=bench@example.org";
  const ignored = ["*.o", "*.a", "node_modules"].join("\n");
  await Deno.writeTextFile(`${repository}/.gitignore`, ignored + "\n");
  const script = `git init -q -b main; ${git} add .; ${git} commit -qm made; git checkout -q -b other
    for file in $(find src -name "*5.txt"); do echo changed >> "$file"; done
    ${git} commit -qam changed; git checkout -q main; ${git} repack -qad`;
  await run("sh", ["-euc", script], repository);
}
