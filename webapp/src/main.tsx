// Registers the page in System Console. The host asks for one component a setting: the first one's is the whole page,
// the others' are nothing. Without this script the settings are the plain ones of plugin.json.
import React from 'react';

import { startEngine } from './engine/start';
import { pluginId, settings } from './manifest';
import type { HostProps } from './page/form';
import { SettingsPage } from './page/SettingsPage';

interface Registry {
  registerAdminConsoleCustomSetting: (key: string, component: React.ComponentType<HostProps>, options: { showTitle: boolean }) => void;
}

const Page = (props: HostProps) => <SettingsPage {...props} startEngine={startEngine} />;
const Nothing = () => null;

class Plugin {
  initialize(registry: Registry) {
    settings.forEach(({ key }, place) =>
      registry.registerAdminConsoleCustomSetting(key, place === 0 ? Page : Nothing, { showTitle: false }),
    );
  }
}

declare global {
  interface Window {
    registerPlugin: (id: string, plugin: Plugin) => void;
  }
}

window.registerPlugin(pluginId, new Plugin());
