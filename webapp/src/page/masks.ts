// Mattermost shows asterisks in place of every secret, even of one that was saved empty.
import type { Values } from '../manifest';

/** Whether this is what Mattermost shows in place of a saved secret. */
export const isMask = (value: unknown): boolean => typeof value === 'string' && /^\*+$/.test(value);

/** Whether this is a credential that was sealed for the settings. */
export const isSealed = (value: unknown): boolean => typeof value === 'string' && value.startsWith('sealed:');

/**
 * Settings without the asterisks behind which nothing can be: a key was saved with a certificate, an identity file alone.
 * `saved` are the certificates as they were when the asterisks were; `empty` are keys of which the plugin has said that nothing is saved.
 */
export function withoutEmptyMasks<Some extends Values>(values: Some, saved: Values, empty: readonly string[] = []): Some {
  const files = Boolean(saved.ClientCertificate) || Boolean(saved.ClusterCA);
  const nothing = [...empty, files ? 'Identity' : 'ClientKey'];
  const entries = Object.entries(values).map(([key, value]) => [key, isMask(value) && nothing.includes(key) ? '' : value]);
  return Object.fromEntries(entries) as Some;
}

/** Settings for the core's checks, which take asterisks for a secret that was never set: here they stand for a saved one. */
export const withStandIns = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, isMask(value) ? 'sealed:v1:saved' : value]));
