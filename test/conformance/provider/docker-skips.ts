/** Cases that provider docker is not asked, wherever its engine is, each with the reason. */
export const dockerSkips: Readonly<Record<string, string>> = {
  "publishes other ports while it runs": "a container's ports are fixed when it is made; the server carries what comes later",
  "an instance that cannot be used is told so, hides no other, and can be destroyed": "no way is known to make the engine keep a dead container",
};
