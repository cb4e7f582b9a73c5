import { stringify } from "yaml";

/** Text put together before it goes out: one chunk of an answer. Characters. */
const chunkCharacters = 64 * 1024;

/**
 * The JSON of `{...head, [itemsKey]: items.map(write)}` as a body that is put together while it is read, a chunk at a time:
 * a list of any length costs one chunk, and other requests get their turn between two. A list of less than a chunk is a
 * string. `head` must not be empty.
 */
export function jsonListBody<T>(head: object, itemsKey: string, items: readonly T[], write: (item: T) => object): string | ReadableStream<Uint8Array> {
  return bodyOf(`${JSON.stringify(head).slice(0, -1)},${JSON.stringify(itemsKey)}:[`, items, (item, i) => (i === 0 ? "" : ",") + JSON.stringify(write(item)), "]}\n");
}

/** The same as YAML. */
export function yamlListBody<T>(head: object, itemsKey: string, items: readonly T[], write: (item: T) => object): string | ReadableStream<Uint8Array> {
  const options = { aliasDuplicateObjects: false } as const;
  if (items.length === 0) return stringify({ ...head, [itemsKey]: [] }, options);
  // A sequence may stand at its key's own indentation: each item is a document of one element.
  return bodyOf(`${stringify(head, options)}${itemsKey}:\n`, items, (item) => stringify([write(item)], options), "");
}

function bodyOf<T>(start: string, items: readonly T[], textOf: (item: T, i: number) => string, end: string): string | ReadableStream<Uint8Array> {
  let next = 0;
  const chunk = (before: string) => {
    let text = before;
    for (; next < items.length && text.length < chunkCharacters; next++) text += textOf(items[next]!, next);
    return next === items.length ? text + end : text;
  };
  const first = chunk(start);
  if (next === items.length) return first;
  const encoder = new TextEncoder();
  let pending: string | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(encoder.encode(pending ?? chunk("")));
        pending = undefined;
        if (next === items.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
