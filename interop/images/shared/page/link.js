// Ties the page's peer to the suite: commands come in over a WebSocket, events go out over it.
// The page's token stands in the fragment of its address.
import { Peer } from './peer.js';

const socket = new WebSocket(`ws://${location.host}/link/${location.hash.slice(1)}`);
const peer = new Peer((event) => socket.send(JSON.stringify(event)), () => socket.close());

socket.addEventListener('message', ({ data }) => {
  let command;
  try {
    command = JSON.parse(data);
  } catch (error) {
    peer.refuse(undefined, error);
    return;
  }
  // The first line of all is the suite's: the machine's monotonic clock, which a page cannot read.
  if (command.clock_ms !== undefined) peer.ready(command.clock_ms);
  else peer.run(command);
});
