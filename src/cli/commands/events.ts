import type { FieldSelector } from "../../api/selectors.ts";
import { isGone } from "../../api/status-error.ts";
import { byTime, eventTable } from "../event-rows.ts";
import { kindPaths } from "../../api/paths.ts";
import { resourceArgs } from "../kind-words.ts";
import { emptyHint } from "../not-found.ts";
import type { Session } from "../session.ts";
import { tableLines, type TextTable } from "../table-text.ts";
import { CliError } from "../world.ts";

export interface EventsOptions {
  readonly for?: string | undefined;
  readonly allNamespaces?: boolean | undefined;
  readonly watch?: boolean | undefined;
}

export async function events(session: Session, options: EventsOptions): Promise<void> {
  const about = options.for === undefined ? undefined : aboutOf(options.for);
  const clusterScoped = about !== undefined && !kindPaths[about.kind].namespaced;
  const all = options.allNamespaces === true;
  const fields: FieldSelector | undefined = about === undefined ? undefined : [
    { path: "involvedObject.kind", equal: true, value: about.kind },
    { path: "involvedObject.name", equal: true, value: about.name },
  ];
  // Events of what has no namespace are kept in "default".
  const selection = { namespace: all ? undefined : clusterScoped ? "default" : session.namespace, fields };
  const { clock, stdout } = session.world;
  const store = await session.connect();
  const columns = { namespace: all, object: about === undefined };
  const print = (table: TextTable, header: boolean) => {
    for (const line of tableLines(table, { style: session.outStyle, header, columns: stdout.isTTY === true ? stdout.columns : undefined })) session.print(line);
  };
  let headed = false;
  do {
    const list = await store.list("Event", selection);
    if (!headed && list.items.length === 0) {
      const noRoom = all || clusterScoped ? undefined : await emptyHint(session);
      session.tell(`No events found${all ? "" : ` in ${selection.namespace} namespace`}. ${noRoom ?? "They are kept for an hour."}`);
    }
    if (!headed && list.items.length > 0) print(eventTable(byTime(list.items), clock.now(), columns), true);
    headed = true;
    if (options.watch !== true) return;
    try {
      for await (const event of store.watch("Event", { ...selection, from: list.resourceVersion }, session.signal)) {
        if (event.type === "ADDED" || event.type === "MODIFIED") print(eventTable([event.object], clock.now(), columns), false);
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  } while (!session.signal.aborted);
}

function aboutOf(text: string) {
  const { named } = resourceArgs([text]);
  if (named.length !== 1) throw new CliError(`--for: "${text}" is not KIND/NAME`);
  return named[0]!;
}
