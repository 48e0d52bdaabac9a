/** Options that several commands have. */
import type { Option } from "../command_line/command.ts";
import { CONFIG_NAME } from "../config/template.ts";

export const JSON_OPTION: Option = { name: "json", description: "print JSON, for programs" };

export const CONFIG_OPTION: Option = {
  ...{ name: "config", letter: "c", value: "<file>" },
  description: `the configuration (default: "${CONFIG_NAME}")`,
};

export const SET_OPTION: Option = {
  ...{ name: "set", letter: "s", value: "<key=value>" },
  description: "set a key of [mount] or [run], such as mount.point=/mnt, over the file and the environment",
};
