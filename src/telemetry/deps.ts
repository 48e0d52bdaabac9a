/** The third-party code of the telemetry entry, with its version. Not in src/deps.ts: that is the tool's. */
export { type Meter, metrics, type Observable } from "npm:@opentelemetry/api@1.10.0";
