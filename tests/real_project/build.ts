/** Step with gcc and make: a small project is built, and then only what has changed. */
import { assert, assertEquals } from "../deps.ts";
import type { Place } from "./place.ts";

const MODULES = Array.from({ length: 20 }, (_, index) => index + 1);

const MAKEFILE = `objects = main.o ${MODULES.map((module) => `module_${module}.o`).join(" ")}
program: $(objects)
	@echo linking
	@gcc -o $@ $(objects)
%.o: %.c
	@echo compiling $<
	@gcc -O1 -MMD -c -o $@ $<
-include $(objects:.o=.d)
`;

function sources(): Record<string, string> {
  const files: Record<string, string> = { Makefile: MAKEFILE };
  for (const module of MODULES) {
    files[`module_${module}.h`] = `int value_${module}(int n);\n`;
    files[`module_${module}.c`] = `#include "module_${module}.h"\nint value_${module}(int n) { return n * ${module} + ${
      module * module
    }; }\n`;
  }
  const includes = MODULES.map((module) => `#include "module_${module}.h"\n`).join("");
  const sum = MODULES.map((module) => `value_${module}(2)`).join(" + ");
  files["main.c"] = `#include <stdio.h>\n${includes}int main(void) { printf("%d\\n", ${sum}); return 0; }\n`;
  return files;
}

/** Runs make and returns what it did, sorted. A clock that differs from the caller's is an error. */
async function make(place: Place, cwd: string): Promise<string[]> {
  const { stdout, stderr } = await place.run(["make", "-j2"], { cwd });
  assert(!/clock skew|modification time/i.test(stdout + stderr), stdout + stderr);
  return stdout.trim().split("\n").sort();
}

/** Builds, runs, and builds again after nothing, one source, and one header have changed. */
export async function buildProject(place: Place): Promise<void> {
  const cwd = `${place.directory}/build`;
  await Deno.mkdir(`${place.host}/build`);
  for (const [name, text] of Object.entries(sources())) await Deno.writeTextFile(`${place.host}/build/${name}`, text);
  await place.run(["cp", "-r", `${place.host}/build`, cwd]);
  assertEquals((await make(place, cwd)).length, MODULES.length + 2);
  const expected = MODULES.reduce((sum, module) => sum + 2 * module + module * module, 0);
  assertEquals((await place.run(["./program"], { cwd })).stdout, `${expected}\n`);
  const done = ["make: 'program' is up to date."];
  assertEquals(await make(place, cwd), done);
  await place.run(["touch", "module_7.c"], { cwd });
  assertEquals(await make(place, cwd), ["compiling module_7.c", "linking"]);
  await place.run(["touch", "module_3.h"], { cwd });
  assertEquals(await make(place, cwd), ["compiling main.c", "compiling module_3.c", "linking"]);
  assertEquals(await make(place, cwd), done);
}
