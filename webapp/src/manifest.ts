// The settings as plugin.json names and explains them: the one source of labels, helps, placeholders and defaults.
import manifest from '../../plugin.json';

export interface Option {
  display_name: string;
  value: string;
}

export interface Setting {
  key: string;
  display_name: string;
  type: string;
  help_text: string;
  placeholder?: string;
  default?: string | boolean | number;
  options?: Option[];
  regenerate_help_text?: string;
}

export type Value = string | boolean | number;
export type Values = Record<string, Value>;

export const pluginId: string = manifest.id;
export const settings: Setting[] = manifest.settings_schema.settings;

const byKey = new Map(settings.map((setting) => [setting.key, setting]));

/** The setting of this key. */
export const setting = (key: string): Setting =>
  byKey.get(key) ?? { key, display_name: key, type: 'text', help_text: '' };

/** What a setting is while nobody has set it. */
export const defaultOf = ({ default: value, type }: Setting): Value => value ?? (type === 'bool' ? false : '');

/** The settings that say how the plugin signs in: an identity file, or three files. */
export const IDENTITY = ['Identity'];
export const THREE_FILES = ['ClientCertificate', 'ClientKey', 'ClusterCA'];
export const CREDENTIALS = [...IDENTITY, ...THREE_FILES];

/** The sections of the page, and what is in them. A setting that none names is in the last one. */
const named: [title: string, keys: string[]][] = [
  ['Connection', ['TeleportAddress', 'ConnectionUpgrade', 'LoadBalancerCA']],
  ['Credentials', [...CREDENTIALS, 'MoreClusters']],
  ['Recipients', ['Recipients', 'RoleRecipients']],
  [
    'Who may decide',
    ['Authority', 'Approvers', 'RequireMFA', 'AllowGuests', 'UserMapping', 'UserTrait', 'MatchEmail', 'AskReason', 'RequireReason'],
  ],
  ['Notifications', ['NotifyRequesters', 'Reminders']],
];
const placed = new Set(named.flatMap(([, keys]) => keys));

export const sections: [title: string, keys: string[]][] = [
  ...named,
  ['Advanced', settings.map(({ key }) => key).filter((key) => !placed.has(key))],
];
