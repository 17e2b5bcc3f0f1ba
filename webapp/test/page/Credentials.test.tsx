import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';

import type { Engine } from '../../src/engine/engine';
import { FACTS, factsOf, MASK, PEM, SEALED, fakeEngine, open, started } from './host';

const identity = () => screen.getByLabelText<HTMLTextAreaElement>('Identity file');

test('a pasted identity file is sealed at once: the form holds the sealed text, the box is emptied, the facts are shown', async () => {
  const { user, form, engine } = open();
  await started();
  await user.click(identity());
  await user.paste(PEM);
  expect((await screen.findByTestId('credential-facts')).textContent).toContain(
    'Teleport user access-plugin of cluster tp, valid until 15 January 2027.',
  );
  expect(engine.checkCredentials).toHaveBeenCalledWith({ Identity: PEM.replaceAll('\r', '') }, 0);
  expect(form('Identity')).toBe(SEALED);
  expect(document.body.innerHTML).not.toContain('c2VjcmV0');
});

test('a pasted secret never reaches the form or the other calls unsealed', async () => {
  const onForm: unknown[] = [];
  const { user, form, engine } = open();
  await started();
  await user.click(identity());
  await user.paste(PEM);
  onForm.push(form('Identity'));
  await screen.findByTestId('credential-facts');
  await waitFor(() => expect(vi.mocked(engine.check).mock.lastCall?.[0].Identity).toBe(SEALED));
  expect(onForm).toEqual(['']);
  expect(JSON.stringify(vi.mocked(engine.check).mock.calls)).not.toContain('c2VjcmV0');
});

test('a dropped file is read like a pasted one', async () => {
  const { form } = open();
  await started();
  const file = new File([PEM], 'identity');
  const types = ['Files'];
  fireEvent.dragOver(identity(), { dataTransfer: { types, files: [file] } });
  fireEvent.drop(identity(), { dataTransfer: { types, files: [file] } });
  await screen.findByTestId('credential-facts');
  expect(form('Identity')).toBe(SEALED);
});

test('a file can be picked, and one that is too large is refused', async () => {
  const { user, form, engine } = open();
  await started();
  const picker = screen.getByLabelText('File: Identity file');
  await user.upload(picker, new File(['x'.repeat(1_000_001)], 'disk.img'));
  expect(await screen.findByText(/disk.img is too large/)).toBeTruthy();
  expect(engine.checkCredentials).not.toHaveBeenCalled();
  await user.upload(picker, new File([PEM], 'identity'));
  await waitFor(() => expect(form('Identity')).toBe(SEALED));
});

test('a path is no secret: it stays in its field, and its facts are shown', async () => {
  const { user, form } = open();
  await started();
  await user.type(identity(), '/var/lib/identity');
  await screen.findByTestId('credential-facts');
  expect(form('Identity')).toBe('/var/lib/identity');
  expect(identity().value).toBe('/var/lib/identity');
});

test('what is wrong with pasted credentials stands at their field, and the form is left alone', async () => {
  const wrong = { ...FACTS, sealed: {}, problems: [{ setting: 'Identity', message: 'This has no certificate in it.', severity: 'wrong' as const }] };
  const { user, form } = open({}, fakeEngine({ checkCredentials: () => Promise.resolve(wrong) }));
  await started();
  await user.click(identity());
  await user.paste(PEM);
  expect((await screen.findByTestId('problem-Identity')).textContent).toContain('This has no certificate in it.');
  expect(identity().getAttribute('aria-invalid')).toBe('true');
  expect(form('Identity')).toBe('');
  expect(screen.queryByTestId('credential-facts')).toBeNull();
});

test('where the plugin cannot be asked the page says that the form has not changed, and asks again when told to', async () => {
  const checkCredentials = vi.fn<Engine['checkCredentials']>().mockRejectedValueOnce(new Error('the plugin is restarting')).mockImplementation((values) => Promise.resolve(factsOf(values)));
  const { user, form } = open({}, fakeEngine({ checkCredentials }));
  await started();
  await user.click(identity());
  await user.paste(PEM);
  expect(await screen.findByText(/the plugin is restarting.*not in the form yet/)).toBeTruthy();
  expect(form('Identity')).toBe('');
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await waitFor(() => expect(form('Identity')).toBe(SEALED));
});

test('saved credentials show what they are, with a warning where there is one', async () => {
  const { engine } = open({ Identity: MASK, ClientKey: MASK }, fakeEngine({ checkCredentials: vi.fn().mockResolvedValue({ ...FACTS, warning: 'They expire in 3 days.' }) }));
  expect((await screen.findByTestId('credential-facts')).textContent).toContain('They expire in 3 days.');
  expect(engine.checkCredentials).toHaveBeenCalledWith({ Identity: MASK }, 0);
  expect(screen.getByText('Saved. It is shown to nobody.')).toBeTruthy();
});

test('asterisks behind which nothing is saved are an empty field', async () => {
  const message = 'No credentials yet.';
  const problem = { setting: 'Identity', message, severity: 'missing' as const };
  const nothing = { ...FACTS, sealed: {}, problems: [{ ...problem, severity: 'wrong' as const }] };
  open({ Identity: MASK }, fakeEngine({ checkCredentials: () => Promise.resolve(nothing), check: ({ Identity }) => Promise.resolve(Identity ? [] : [problem]) }));
  await started();
  expect((await screen.findByRole<HTMLTextAreaElement>('textbox', { name: 'Identity file' })).value).toBe('');
  const told = await screen.findByTestId('problem-Identity');
  expect(within(told).queryByRole('alert')).toBeNull();
});

test('“Replace” gives an empty box with the focus in it, and the old one can be kept', async () => {
  const { user, form } = open({ Identity: MASK });
  await started();
  await user.click(screen.getByRole('button', { name: 'Replace Identity file' }));
  expect(document.activeElement).toBe(identity());
  expect(identity().value).toBe('');
  await user.click(screen.getByRole('button', { name: 'Keep the old one' }));
  expect(form('Identity')).toBe(MASK);
  expect(screen.getByRole('button', { name: 'Replace Identity file' })).toBeTruthy();
});

test('“Remove” empties the setting', async () => {
  const { user, form } = open({ Identity: MASK });
  await started();
  await user.click(screen.getByRole('button', { name: 'Remove Identity file' }));
  expect(form('Identity')).toBe('');
  expect(document.activeElement).toBe(identity());
});

test('three files are asked about when all three are there, and take the place of an identity file', async () => {
  const certificate = '-----BEGIN CERTIFICATE-----\na';
  const { user, form, engine } = open({ Identity: MASK });
  await screen.findByTestId('credential-facts');
  await user.click(screen.getByLabelText('Three files'));
  expect(form('Identity')).toBe(MASK);
  await user.click(screen.getByLabelText('Client certificate (auth.crt)'));
  await user.paste(certificate);
  expect(await screen.findByText(/Not in the form yet/)).toBeTruthy();
  await user.click(screen.getByLabelText('Client key (auth.key)'));
  await user.paste(PEM);
  await user.type(screen.getByLabelText('Cluster certificate authority (auth.cas)'), '/cas');
  await waitFor(() => expect(form('ClientKey')).toBe(SEALED));
  expect(form('ClientCertificate')).toBe(certificate);
  expect(form('Identity')).toBe('');
  expect(engine.checkCredentials).toHaveBeenLastCalledWith({ ClientCertificate: certificate, ClientKey: PEM, ClusterCA: '/cas' }, 0);
});
