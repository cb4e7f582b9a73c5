import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Field, FieldType, MessageType } from "./message-type.ts";

/** The JSON value of a message as its bytes. What the message has no field for, or null, is left out. */
export function encodeMessage(type: MessageType, value: object): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  write(writer, type, value);
  return writer.finish();
}

function write(writer: BinaryWriter, { fields }: MessageType, value: object): void {
  for (const field of fields.values()) {
    const held = (value as Readonly<Record<string, unknown>>)[field.name];
    if (held === undefined || held === null) continue;
    switch (field.holds) {
      case "list":
        for (const each of held as readonly unknown[]) writeValue(writer, field, field.type, each);
        break;
      case "map":
        for (const [key, each] of Object.entries(held as Readonly<Record<string, string>>)) {
          writer.tag(field.number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).string(each).join();
        }
        break;
      case "one":
      case "optional":
        writeValue(writer, field, field.type, held);
    }
  }
}

function writeValue(writer: BinaryWriter, { number }: Field, type: FieldType, value: unknown): void {
  switch (type) {
    case "string":
      writer.tag(number, WireType.LengthDelimited).string(value as string);
      return;
    case "bytes":
      writer.tag(number, WireType.LengthDelimited).bytes(value as Uint8Array);
      return;
    case "bool":
      writer.tag(number, WireType.Varint).bool(value as boolean);
      return;
    case "int32":
      writer.tag(number, WireType.Varint).int32(value as number);
      return;
    case "int64":
      writer.tag(number, WireType.Varint).int64(value as number);
      return;
    case "fieldsV1":
      writer.tag(number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(JSON.stringify(value)).join();
      return;
    case "time":
    case "microTime":
      writer.tag(number, WireType.LengthDelimited).fork();
      writeTime(writer, value as string, type === "microTime");
      writer.join();
      return;
    default:
      writer.tag(number, WireType.LengthDelimited).fork();
      write(writer, type, value as object);
      writer.join();
  }
}

/** Source: google.protobuf.Timestamp. Seconds go down, so that nanos are never negative. */
function writeTime(writer: BinaryWriter, text: string, micro: boolean): void {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return;
  writer.tag(1, WireType.Varint).int64(Math.floor(ms / 1000));
  const digits = micro ? (/\.(\d+)/.exec(text)?.[1] ?? "") : "";
  const nanos = Number(digits.padEnd(9, "0").slice(0, 6)) * 1000;
  writer.tag(2, WireType.Varint).int32(nanos);
}
