// What the console needs of react-dom/client, for React 17, which has none yet. Plugins get nothing of it.
import { render } from 'react-dom';

export const createRoot = (container) => ({ render: (element) => render(element, container) });
