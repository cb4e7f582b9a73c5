import { after, before, describe, it } from "node:test";
import type { TransportPlace, TransportTest } from "./place.ts";
import { commandCases } from "./suite-commands.ts";
import { endingCases } from "./suite-ending.ts";
import { fileCases } from "./suite-files.ts";
import { listenCases } from "./suite-listen.ts";
import { socketCases } from "./suite-sockets.ts";
import { terminalCases } from "./suite-terminal.ts";

/** The words of transport.ts as cases; every transport is held to them. */
export function transportConformance(name: string, make: () => Promise<TransportPlace>): void {
  describe(`transport ${name}`, { timeout: 120_000 }, () => {
    let place: TransportPlace;
    before(async () => {
      place = await make();
    });
    after(() => place.close());
    const test: TransportTest = (what, body) => void it(what, () => body(place));
    describe("commands", () => commandCases(test));
    describe("endings", () => endingCases(test));
    describe("terminals", () => terminalCases(test));
    describe("sockets", () => socketCases(test));
    describe("listening", () => listenCases(test));
    describe("files", () => fileCases(test));
  });
}
