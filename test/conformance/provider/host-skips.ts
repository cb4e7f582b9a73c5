const isolation = "plain processes have no file system, network or limits of their own";

/** Cases that provider host is not asked, wherever its processes are, each with the reason. */
export const hostSkips: Readonly<Record<string, string>> = {
  "volumes are kept over a re-creation, and go when asked": isolation,
  "memory that is mounted is empty at each start": isolation,
  "snapshots keep the disk as it was, and put it back": "keeps no snapshots",
  "publishes a port where it was told to, and says when that is taken": isolation,
  "is started without a published port that was taken away from it, with its disk as it was": isolation,
  "publishes other ports while it runs": isolation,
  "answers on a published port": isolation,
  "enforces the limits it claims": "claims none",
  "holds memory to its limit": "claims none",
  "says when there is no such image": "has no images",
  "hints when something happens": "has no event stream",
  "shows its console, also after its end, and no more of it than was asked for": "has no console",
  "an instance that ended by itself is told so, and can be started again": "is a directory, which does not end",
  "a paused instance is told so, and goes on when it is started": "has nothing that is paused as a whole",
};
