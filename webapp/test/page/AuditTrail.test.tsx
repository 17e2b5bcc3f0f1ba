import { fireEvent, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { pluginId } from '../../src/manifest';
import { open } from './host';

const link = (name: string) => screen.getByRole('link', { name }).getAttribute('href');
const day = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });

afterEach(() => {
  delete (window as { basename?: string }).basename;
});

test('the audit trail of a period is downloaded in either form', async () => {
  const { user } = open();
  await user.click(screen.getByRole('button', { name: 'Audit trail' }));
  expect(link('Download CSV')).toBe(`/plugins/${pluginId}/audit.csv`);
  day('From', '2026-01-02');
  expect(link('Download CSV')).toBe(`/plugins/${pluginId}/audit.csv?from=2026-01-02`);
  day('To', '2026-03-04');
  expect(link('Download CSV')).toBe(`/plugins/${pluginId}/audit.csv?from=2026-01-02&to=2026-03-04`);
  expect(link('Download JSON lines')).toBe(`/plugins/${pluginId}/audit.jsonl?from=2026-01-02&to=2026-03-04`);
  day('From', '');
  expect(link('Download JSON lines')).toBe(`/plugins/${pluginId}/audit.jsonl?to=2026-03-04`);
});

test('it is found where Mattermost is installed below a path', async () => {
  (window as { basename?: string }).basename = '/chat/';
  const { user } = open();
  await user.click(screen.getByRole('button', { name: 'Audit trail' }));
  expect(link('Download CSV')).toBe(`/chat/plugins/${pluginId}/audit.csv`);
});

test('it takes no engine', async () => {
  const { user } = open({}, null);
  await screen.findByTestId('no-engine');
  await user.click(screen.getByRole('button', { name: 'Audit trail' }));
  expect(link('Download CSV')).toBe(`/plugins/${pluginId}/audit.csv`);
});
