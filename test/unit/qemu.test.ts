import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { PassThrough, Duplex } from "node:stream";
import { describe, it } from "node:test";
import { refuseMissing } from "../../src/providers/qemu/create-machine.ts";
import { createIdLocks } from "../../src/providers/qemu/id-locks.ts";
import { preparation } from "../../src/providers/qemu/guests.ts";
import { whyNotRun } from "../../src/providers/qemu/launch-machine.ts";
import { machineArgv, type ArgvParts } from "../../src/providers/qemu/machine-argv.ts";
import { instanceOf, recordOf, startIdOf } from "../../src/providers/qemu/machine-record.ts";
import { greetQemu } from "../../src/providers/qemu/qmp.ts";
import { readMachines } from "../../src/providers/qemu/read-machines.ts";
import { seedFiles } from "../../src/providers/qemu/seed.ts";
import type { InstanceSpec, ProviderError } from "../../src/providers/provider.ts";

const owner = { cluster: "c", uid: "u", namespace: "default", name: "dev" };
const spec: InstanceSpec = {
  owner, generation: 3, specHash: "h", hostname: "dev", image: "/img", imagePullPolicy: "Never", env: { A: "it's\ntwo" }, workingDir: undefined, user: undefined,
  mounts: [
    { kind: "bind", source: "/a, b", target: "/src", readOnly: true }, { kind: "volume", name: "data", target: "/data", readOnly: false },
    { kind: "tmpfs", target: "/t", sizeBytes: 1024 }, { kind: "volume", name: "more", target: "/more", readOnly: true },
  ],
  ports: [{ port: 80, nodePort: 20_001, protocol: "tcp" }],
  resources: { cpus: 1.5, memoryBytes: 300 * 1024 ** 2 + 1, pidsMax: 9 }, engine: { kernel: "/k", append: "quiet root=/dev/vda" },
};
const record = recordOf(spec, "ssh-ed25519 AAAA");
const argv = (more: Partial<ArgvParts> = {}) => machineArgv({ id: "vendetta-c-u", record, accelerator: { kind: "tcg", why: "" }, sharing: { by: "virtiofs", program: "/virtiofsd" }, sshPort: 25_000, ports: record.ports, workDir: "/w", publicKey: "ssh-ed25519 KEY", ...more });
const after = (words: readonly string[], option: string) => words.flatMap((each, i) => (each === option ? [words[i + 1]!] : []));

describe("the command that is a machine", () => {
  it("has whole processors, memory rounded up, and every forward on loopback", () => {
    assert.deepEqual([after(argv(), "-smp"), after(argv(), "-m")], [["2"], ["301"]]);
    assert.deepEqual(after(argv(), "-netdev"), ["user,id=net,hostfwd=tcp:127.0.0.1:25000-:22,hostfwd=tcp:127.0.0.1:20001-:80"]);
  });
  it("tells disks apart by serial number, and keeps read-only ones so", () => {
    const disks = after(argv(), "-blockdev").map((each) => JSON.parse(each) as { "node-name": string; "read-only"?: boolean; file: { filename?: string } });
    assert.deepEqual(disks.map((each) => [each["node-name"], each["read-only"] ?? false, each.file.filename]), [["disk", false, "disk.qcow2"], ["seed", true, undefined], ["kept-vol0", false, "/w/volume-data.raw"], ["kept-vol1", true, "/w/volume-more.raw"]]);
  });
  it("shares directories by what the node has: memory that virtiofsd sees, or QEMU's own 9p with the comma kept", () => {
    assert.ok(argv().includes("memory-backend-memfd,id=memory,size=301M,share=on"));
    assert.deepEqual(after(argv({ sharing: { by: "9p" } }), "-fsdev"), ["local,id=share0,path=/a,, b,security_model=none,readonly=on"]);
    assert.ok(!argv({ sharing: { by: "9p" } }).some((each) => each.includes("memory-backend")));
  });
  it("is run by the processor as it was found to work, and boots what it is told", () => {
    assert.deepEqual(after(argv({ accelerator: { kind: "kvm", cpu: "host,-arch-capabilities" } }), "-cpu"), ["host,-arch-capabilities"]);
    assert.deepEqual([after(argv(), "-kernel"), after(argv(), "-initrd"), after(argv(), "-append")], [["/k"], [], ["quiet root=/dev/vda"]]);
    assert.deepEqual(after(argv({ record: { ...record, engine: { ...record.engine, machine: "microvm" } } }), "-append"), ["reboot=t quiet root=/dev/vda"], "what a microvm can do");
    const micro = argv({ record: { ...record, engine: { ...record.engine, machine: "microvm" } } });
    assert.ok(!micro.some((each) => each.includes("-pci")) && micro.some((each) => each.includes("virtio-blk-device")));
  });
});

describe("a path that the node has not", () => {
  // The script itself, on this machine.
  const machines = {
    script: async (script: string, args: readonly string[]) => {
      const { stdout, stderr, status } = spawnSync("sh", ["-c", script, "sh", ...args], { encoding: "utf8", timeout: 20_000 });
      return { stdout, stderr, code: status, signal: undefined, truncated: false };
    },
  } as unknown as Parameters<typeof refuseMissing>[0];
  const bind = (source: string) => ({ kind: "bind", source, target: "/t", readOnly: false }) as const;
  const file = process.execPath;
  for (const [engine, mounts, reason, message] of [
    [{ kernel: file, initrd: "/no such/initrd" }, [], "ImageNotFound", "spec.qemu.initrd: there is no /no such/initrd on box"],
    [{ kernel: "/no/kernel", initrd: "/no/initrd" }, [], "ImageNotFound", "spec.qemu.kernel: there is no /no/kernel on box"],
    [{ kernel: "/" }, [], "InvalidSpec", "spec.qemu.kernel: / on box is no file"],
    [{}, [bind("/"), { kind: "tmpfs", target: "/u", sizeBytes: 1 }, bind("/no/dir")], "MountSourceMissing", "spec.mounts[2].hostPath: there is no /no/dir on box"],
    [{}, [bind(file)], "InvalidSpec", `spec.mounts[0].hostPath: ${file} on box is no directory: provider qemu shares directories only`],
  ] as const) {
    it(`is told by its field: ${message}`, async () => {
      await assert.rejects(refuseMissing(machines, { engine: { ...record.engine, kernel: undefined, ...engine }, mounts: [...mounts] } as Parameters<typeof refuseMissing>[1], "box", AbortSignal.timeout(20_000)), (error: ProviderError) => error.reason === reason && error.message === message);
    });
  }
  it("is nothing to tell of when all are there", () => refuseMissing(machines, { engine: { ...record.engine, kernel: file }, mounts: [bind("/")] } as Parameters<typeof refuseMissing>[1], "box", AbortSignal.timeout(20_000)));
});

describe("why QEMU does not run", () => {
  const said = (failure: string, memoryBytes?: number) => whyNotRun(failure, "vendetta-c-u", { resources: { memoryBytes } }, "box");
  it("is told by its field when it is the memory", () => {
    const noMemory = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory";
    assert.equal(said(noMemory, 500 * 1024 ** 3), "spec.resources.memory is 512000Mi, and box cannot give vendetta-c-u that much");
    assert.equal(said(noMemory), "spec.resources.memory is absent, which is 1024Mi, and box cannot give vendetta-c-u that much");
    assert.match(said("qemu-system-x86_64: -object memory-backend-memfd,id=memory,size=9M,share=on: failed to resize memfd: Cannot allocate memory", 9 * 1024 ** 2), /^spec.resources.memory is 9Mi/);
  });
  it("is told in QEMU's words otherwise", () => assert.equal(said("qemu: no such machine"), "QEMU does not run vendetta-c-u: qemu: no such machine"));
});

describe("the seed of a machine", () => {
  it("is what cloud-init reads, with our key for root and the host key that is expected", () => {
    const files = seedFiles({ id: "vendetta-c-u", record: { ...record, engine: { ...record.engine, packages: ["git"], firstBootCommands: ["true"] } }, publicKey: "ssh-ed25519 KEY", hostPrivateKey: "PRIVATE" });
    const [first, ...rest] = files["user-data"]!.split("\n");
    assert.equal(first, "#cloud-config");
    const data = JSON.parse(rest.join("\n")) as { users: unknown; ssh_keys: unknown; packages: unknown; runcmd: unknown };
    assert.deepEqual([data.users, data.ssh_keys, data.packages, data.runcmd], [[{ name: "root", lock_passwd: true, ssh_authorized_keys: ["ssh-ed25519 KEY"] }], { ed25519_private: "PRIVATE", ed25519_public: "ssh-ed25519 AAAA" }, ["git"], ["true"]]);
    assert.equal(files["environment"], "export A='it'\\''s\ntwo'\n");
    assert.match(files["meta-data"]!, /"instance-id":"vendetta-c-u"/);
  });
});

describe("what a node tells of machines", () => {
  const line = (...lines: string[]) => readMachines(lines.join("\n"));
  it("tells what its disks hold", () => {
    assert.deepEqual(line("id a", "disk    0   0   0   2 128   0   0   0", "more 1048576 /a dir/work/a/disk-data.raw", "more 5 /x/volume-v.raw", "id b", "disk ").map(({ disks }) => disks), [{ own: 10 * 1024 ** 3, more: { data: 1048576 } }, { own: undefined, more: {} }]);
  });
  it("is read line by line; trouble of one is its own", () => {
    const [whole, half, odd, fresh] = line("id a", `record ${JSON.stringify(record)}`, 'ports [{"port":81,"nodePort":20002,"protocol":"tcp"}]', "key ssh-ed25519 K", "run 7 123 boot-id-x 1700000000 25000 1", "id b", "id c", "record {", "run x", "id d", `record ${JSON.stringify(record)}`, "ports ");
    assert.deepEqual([instanceOf(whole!, false).state, instanceOf(whole!, true).state, whole!.learnedHostKey, whole!.ports[0]?.port], ["running", "paused", "ssh-ed25519 K", 81]);
    assert.deepEqual([startIdOf(whole!.run!), instanceOf(whole!, false).startedAt], ["boot-id--7-123", "2023-11-14T22:13:20.000Z"]);
    assert.match(instanceOf(half!, false).problems[0]!, /cut off/);
    assert.match(instanceOf(odd!, false).problems[0]!, /cannot be read/);
    assert.deepEqual([instanceOf(fresh!, false).state, fresh!.ports], ["created", record.ports]);
    const dead = line("id a", `record ${JSON.stringify(record)}`, "run 7 123 boot 1 25000 0")[0]!;
    assert.deepEqual([instanceOf(dead, false).state, instanceOf(dead, false).startId], ["stopped", undefined]);
    const ended = (...last: string[]) => instanceOf(line("id a", `record ${JSON.stringify(record)}`, ...last)[0]!, false).exitCode;
    assert.deepEqual([ended("run 7 123 boot 1 25000 0 137"), ended("run 7 123 boot 1 25000 0 "), ended("run 7 123 boot 1 25000 0"), ended("run 7 123 boot 1 25000 1 137")], [137, undefined, undefined, undefined]);
  });
});

it("a machine is prepared in the order of its disks and shares", () => {
  assert.deepEqual(preparation(record, { by: "9p" }).split("\n"), ["hostname\tdev", "volume\tvol0\t/data\trw", "volume\tvol1\t/more\tro", "share\t9p\tshare0\t/src\tro", "tmpfs\t/t\t1024", "pids\t9", ""]);
});

describe("a machine's monitor", () => {
  const open = () => {
    const [toQemu, fromQemu] = [new PassThrough(), new PassThrough()];
    return { stream: Duplex.from({ writable: toQemu, readable: fromQemu }), toQemu: toQemu.setEncoding("utf8"), say: (message: object) => fromQemu.write(`${JSON.stringify(message)}\r\n`), end: () => fromQemu.end() };
  };
  const greeted = async () => {
    const qemu = open();
    qemu.toQemu.on("data", (text: string) => {
      for (const line of text.trim().split("\n")) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number };
        if (execute === "qmp_capabilities") qemu.say({ return: {}, id });
        else if (execute === "no") qemu.say({ error: { class: "GenericError", desc: "never" }, id });
        else if (execute !== "silence") qemu.say({ return: { said: execute }, id });
      }
    });
    const greeting = greetQemu(qemu.stream, AbortSignal.timeout(5000));
    qemu.say({ QMP: {} });
    return { qemu, qmp: await greeting };
  };
  it("answers each question with its own answer, and tells events apart", async () => {
    const { qemu, qmp } = await greeted();
    qemu.say({ event: "STOP", timestamp: {} });
    assert.deepEqual(await Promise.all([qmp.ask("one"), qmp.ask("two")]), [{ said: "one" }, { said: "two" }]);
    await assert.rejects(qmp.ask("no"), (error: ProviderError) => error.reason === "QemuRefused" && error.message === "never");
    const waiting = qmp.ask("silence");
    qemu.end();
    await assert.rejects(waiting, (error: ProviderError) => error.reason === "QemuGone");
    await assert.rejects(qmp.ask("one"), (error: ProviderError) => error.reason === "QemuGone");
    const seen: string[] = [];
    for await (const event of qmp.events()) seen.push(event);
    assert.deepEqual(seen, ["STOP"]);
  });
  it("that says nothing is given up with the signal", async () => {
    const { stream } = open();
    const ending = new AbortController();
    const greeting = greetQemu(stream, ending.signal);
    ending.abort(new Error("enough"));
    await assert.rejects(greeting, /enough/);
  });
});

describe("verbs of one machine", () => {
  it("come one after the other, those of others at once; who gives up lets nobody in early", async () => {
    const locks = createIdLocks();
    const said: string[] = [];
    let finish = () => {};
    const never = new AbortController().signal;
    const first = locks.hold("a", never, () => new Promise<void>((resolve) => (finish = resolve)).then(() => void said.push("first")));
    const impatient = new AbortController();
    const second = locks.hold("a", impatient.signal, () => Promise.resolve(said.push("second")));
    const third = locks.hold("a", never, () => Promise.resolve(said.push("third")));
    await locks.hold("b", never, () => Promise.resolve(said.push("other")));
    impatient.abort(new Error("enough"));
    await assert.rejects(second, /enough/);
    assert.deepEqual(said, ["other"]);
    finish();
    await Promise.all([first, third]);
    assert.deepEqual(said, ["other", "first", "third"]);
  });
});
