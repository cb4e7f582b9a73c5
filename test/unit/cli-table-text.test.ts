import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Table } from "../../src/api/table.ts";
import { createStyle, printable } from "../../src/cli/style.ts";
import { cellText, tableLines, textTable } from "../../src/cli/table-text.ts";

const plain = { style: createStyle(false), header: true };
const metadata = (name: string) => ({ name, namespace: "default", uid: name, resourceVersion: "1", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" });
const column = (name: string, priority = 0, format = "") => ({ name, type: "string", format, description: "", priority });
const table: Table = {
  kind: "Table",
  apiVersion: "meta.k8s.io/v1",
  metadata: {},
  columnDefinitions: [column("Name", 0, "name"), column("Ready"), column("Restarts"), column("PID", 1), column("Message", 1)],
  rows: [
    { cells: ["api", "True", 0, 4711, "listens on 5401, and has done so for quite a while"], object: { apiVersion: "v1", kind: "x", metadata: metadata("api") } },
    { cells: ["a-longer-name", "False", 12, null, null], object: { apiVersion: "v1", kind: "x", metadata: metadata("a-longer-name") } },
  ],
};
const text = (options: Partial<Parameters<typeof textTable>[1]> = {}) => textTable(table, { wide: false, withNamespace: false, prefix: "", ...options });

describe("a server's table as text", () => {
  it("has aligned columns, three blanks apart, and no blanks at a line's end", () => {
    assert.deepEqual(tableLines(text(), plain), [
      "NAME            READY   RESTARTS",
      "api             True    0",
      "a-longer-name   False   12",
    ]);
  });
  it("shows more with -o wide; what is not there is <none>", () => {
    assert.deepEqual(tableLines(text({ wide: true }), plain), [
      "NAME            READY   RESTARTS   PID      MESSAGE",
      "api             True    0          4711     listens on 5401, and has done so for quite a while",
      "a-longer-name   False   12         <none>   <none>",
    ]);
  });
  it("begins with the namespace for -A, and with the kind where there are several", () => {
    assert.deepEqual(tableLines(text({ withNamespace: true, prefix: "service.vendetta.dev/" }), plain), [
      "NAMESPACE   NAME                                 READY   RESTARTS",
      "default     service.vendetta.dev/api             True    0",
      "default     service.vendetta.dev/a-longer-name   False   12",
    ]);
  });
  it("leaves the header out when asked", () => {
    assert.deepEqual(tableLines(text(), { ...plain, header: false }), ["api             True    0", "a-longer-name   False   12"]);
  });
  it("takes a later event's cells under the first event's columns", () => {
    const later: Table = { ...table, columnDefinitions: [], rows: table.rows.slice(0, 1) };
    assert.deepEqual(textTable(later, { wide: false, withNamespace: false, prefix: "" }, table.columnDefinitions).rows, [["api", "True", "0"]]);
  });
});

describe("a table that is wider than the terminal", () => {
  it("is cut, the widest column first", () => {
    const lines = tableLines(text({ wide: true }), { ...plain, columns: 60 });
    assert.deepEqual(lines, [
      "NAME            READY   RESTARTS   PID      MESSAGE",
      "api             True    0          4711     listens on 5401…",
      "a-longer-name   False   12         <none>   <none>",
    ]);
    for (const line of lines) assert.ok(line.length <= 60, line);
  });
  it("goes on below in its last column where that is asked for, at words, and at the edge in one that is too long", () => {
    const table = { header: ["NAME", "MESSAGE"], rows: [["a", "cannot connect to dev@box: no route"], ["b", "x".repeat(20)], ["c", "ok"]] };
    assert.deepEqual(tableLines(table, { ...plain, columns: 21, wrapLast: true }), [
      "NAME   MESSAGE",
      "a      cannot connect",
      "       to dev@box: no",
      "       route",
      "b      xxxxxxxxxxxxxx",
      "       xxxxxx",
      "c      ok",
    ]);
    assert.deepEqual(tableLines(table, { ...plain, columns: 80, wrapLast: true }), tableLines(table, plain));
    assert.deepEqual(tableLines(table, { ...plain, wrapLast: true }), tableLines(table, plain));
  });
  it("is never cut in a pipe", () => assert.ok(tableLines(text({ wide: true }), plain)[1]!.endsWith("quite a while")));
  it("stays readable when nothing fits", () => {
    for (const line of tableLines(text({ wide: true }), { ...plain, columns: 5 })) assert.ok(line.length <= 60, line);
  });
});

describe("text from the outside", () => {
  it("cannot move the cursor, ring the bell or begin a new line", () => {
    assert.equal(cellText("a\u001b[2Jb\u0007\u009bc\nd"), "a\\x1b[2Jb\\x07\\x9bc d");
    assert.equal(printable("häß 漢 🙂"), "häß 漢 🙂");
  });
  it("that is not there, or empty, is <none>; zero and false are values", () => {
    assert.deepEqual([null, undefined, "", 0, false].map(cellText), ["<none>", "<none>", "<none>", "0", "false"]);
  });
});

describe("colour", () => {
  it("is in a table only when the style has it, and changes no width", () => {
    const styled = tableLines(text(), { ...plain, style: createStyle(true) });
    assert.notDeepEqual(styled, tableLines(text(), plain));
    assert.deepEqual(styled.map((line) => line.replace(/\u001b\[\d+m/g, "")), tableLines(text(), plain));
  });
});
