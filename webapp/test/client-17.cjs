// What the test library needs of react-dom/client, for React 17, which has none yet.
const ReactDOM = require('react-dom');

exports.createRoot = (container) => ({
  render: (element) => ReactDOM.render(element, container),
  unmount: () => ReactDOM.unmountComponentAtNode(container),
});
