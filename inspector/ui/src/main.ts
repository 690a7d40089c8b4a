import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { session } from './lib/session.svelte';
import { theme } from './lib/theme.svelte';

theme.start();
session.start();

const target = document.getElementById('app');
if (target) mount(App, { target });
