import assert from "node:assert/strict";
import { it } from "node:test";
import { gitRef, gitUrlProblem } from "../../src/api/git-url.ts";

for (const url of ["https://example.com/a.git", "http://user@example.com/a", "ssh://git@example.com:2222/a.git", "git://example.com/a", "file:///srv/a.git", "/srv/a.git", "git@example.com:team/a.git", "host:a"]) {
  it(`${url} is an address that git may be given`, () => assert.equal(gitUrlProblem(url), undefined));
}
for (const [url, why] of [
  ["ext::sh -c touch% /tmp/x", /blanks/],
  ["ext::sh", /remote helper/],
  ["fd::17", /remote helper/],
  ["transport::https://example.com", /remote helper/],
  ["-u/tmp/x", /start with '-'/],
  ["--upload-pack=touch", /start with '-'/],
  ["ssh://-oProxyCommand=x/a", /./],
  ["ssh://-oProxyCommand@example.com/a", /starts with '-'/],
  ["-oProxyCommand=x:a", /start with '-'/],
  ["ftp://example.com/a", /not ftp/],
  ["https://user:secret@example.com/a", /password/],
  ["relative/path", /absolute path/],
  ["../a:b", /absolute path/],
  ["", /must be/],
] as const) {
  it(`${JSON.stringify(url)} is none`, () => assert.match(gitUrlProblem(url) ?? "", why));
}
it("a ref is a name that cannot be an option or a second ref", () => {
  for (const ref of ["main", "HEAD", "release/1.2", "v1.0-rc.1", "refs/heads/main", "a".repeat(40)]) assert.ok(gitRef.safeParse(ref).success, ref);
  for (const ref of ["", "-x", "a..b", "a:b", "a b", "+main", "a@{1}", "a/", "a.lock", "a//b", "a/.b", "a~1", "a^", "*"]) assert.ok(!gitRef.safeParse(ref).success, ref);
});
