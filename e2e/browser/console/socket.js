// The web app's websocket: what the server tells every open page, handed to the plugins that asked for it.

const handlers = new Map();

export const onEvent = (name, handler) => handlers.set(name, handler);

export function listen() {
  const socket = new WebSocket(`${window.location.origin.replace(/^http/, 'ws')}/api/v4/websocket`);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    handlers.get(message.event)?.(message);
  };
}
