import type { FieldSelector, LabelSelector } from "../api/selectors.ts";

/** The text `parseLabelSelector` reads back as this selector. */
export function labelSelectorText(selector: LabelSelector): string {
  return selector
    .map((requirement) => {
      switch (requirement.operator) {
        case "In":
          return `${requirement.key} in (${requirement.values.join(",")})`;
        case "NotIn":
          return `${requirement.key} notin (${requirement.values.join(",")})`;
        case "Exists":
          return requirement.key;
        case "DoesNotExist":
          return `!${requirement.key}`;
        case "Gt":
        case "Lt":
          return `${requirement.key}${requirement.operator === "Gt" ? ">" : "<"}${requirement.value}`;
      }
    })
    .join(",");
}

/** The text `parseFieldSelector` reads back as this selector. */
export function fieldSelectorText(selector: FieldSelector): string {
  return selector.map(({ path, equal, value }) => `${path}${equal ? "=" : "!="}${value.replace(/[\\,=]/g, "\\$&")}`).join(",");
}
