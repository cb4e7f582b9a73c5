/** A machine's name as Kubernetes allows names: lower case, letters, digits, '-' and '.'. */
export function nodeName(machine: string): string {
  const name = machine.toLowerCase().replace(/[^a-z0-9.-]+/g, "-").split(".").map((label) => label.replace(/^-+|-+$/g, "")).filter((label) => label !== "").join(".").slice(0, 253).replace(/[-.]+$/, "");
  return name === "" ? "local" : name;
}
