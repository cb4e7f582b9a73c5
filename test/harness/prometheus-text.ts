import assert from "node:assert/strict";

export interface MetricFamily {
  readonly help: string;
  readonly type: string;
  /** Value by the series' name and labels, as written: `x_total{a="b"}`. */
  readonly series: ReadonlyMap<string, number>;
}

/** Reads Prometheus' text form 0.0.4, and fails on what its rules or its naming conventions forbid. */
export function parsePrometheus(text: string): ReadonlyMap<string, MetricFamily> {
  const families = new Map<string, { help: string; type: string; series: Map<string, number> }>();
  assert.ok(text.endsWith("\n"), "the last line has no end");
  let name = "";
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, kind, of, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      assert.ok(!families.has(of!), `two HELP lines for ${of}`);
      families.set((name = of!), { help: rest!, type: "", series: new Map() });
      continue;
    }
    if (kind === "TYPE") {
      assert.equal(of, name, "TYPE follows its HELP");
      families.get(name)!.type = rest!;
      continue;
    }
    const [, sample, labels = "", value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line) ?? [];
    assert.ok(sample !== undefined, `no sample: ${line}`);
    const family = families.get(name);
    assert.ok(family !== undefined && (sample === name || (family.type === "histogram" && [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample))), `${sample} is not of ${name}`);
    const number = value === "+Inf" ? Infinity : Number(value);
    assert.ok(!Number.isNaN(number), line);
    assert.ok(!family.series.has(sample + labels), `twice: ${sample}${labels}`);
    family.series.set(sample + labels, number);
  }
  for (const [family, { help, type, series }] of families) checkFamily(family, help, type, series);
  return families;
}

function checkFamily(name: string, help: string, type: string, series: ReadonlyMap<string, number>): void {
  assert.ok(["counter", "gauge", "histogram"].includes(type), `${name} is a ${type}`);
  assert.match(name, /^[a-z][a-z0-9_]*$/);
  assert.equal(type === "counter", name.endsWith("_total"), `${name}: counters, and only they, end in _total`);
  for (const unit of ["seconds", "bytes"]) if (new RegExp(`_${unit}(_total)?$`).test(name)) assert.match(help, new RegExp(`in ${unit}`), `${name} says its unit`);
  if (type !== "histogram") return;
  const groups = new Map<string, { readonly le: number; readonly count: number }[]>();
  for (const [sample, count] of series) {
    const le = /[{,]le="([^"]+)"/.exec(sample)?.[1];
    if (le === undefined) continue;
    const rest = sample.replace(`${name}_bucket`, `${name}_count`).replace(`le="${le}",`, "").replace(`le="${le}"`, "").replace("{}", "");
    groups.set(rest, [...(groups.get(rest) ?? []), { le: le === "+Inf" ? Infinity : Number(le), count }]);
  }
  for (const [total, buckets] of groups) {
    assert.deepEqual(buckets.map((each) => each.le), buckets.map((each) => each.le).sort((a, b) => a - b), `${total}: buckets go up`);
    for (const [i, { count }] of buckets.entries()) assert.ok(i === 0 || count >= buckets[i - 1]!.count, `${total}: counts go up`);
    assert.equal(buckets.at(-1)?.le, Infinity);
    assert.equal(buckets.at(-1)?.count, series.get(total), `${total} is its last bucket`);
  }
}
