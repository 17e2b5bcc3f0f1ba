// Calls of the server's REST interface with the browser's session.

const cookie = (name) =>
  document.cookie
    .split('; ')
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';

const call = async (method, path, body) => {
  const headers = { 'X-Requested-With': 'XMLHttpRequest' };
  if (method !== 'GET') headers['X-CSRF-Token'] = cookie('MMCSRF');
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.message), { id: answer.id });
  return answer;
};

export const get = (path) => call('GET', path);
export const put = (path, body) => call('PUT', path, body);
