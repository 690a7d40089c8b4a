export type Theme = 'auto' | 'light' | 'dark';

const key = 'hookrange.theme';
const order: Theme[] = ['auto', 'light', 'dark'];

class ThemeChoice {
  choice = $state<Theme>('auto');

  start(): void {
    const kept = localStorage.getItem(key);
    this.#set(order.find((t) => t === kept) ?? 'auto');
  }

  next(): void {
    this.#set(order[(order.indexOf(this.choice) + 1) % order.length] ?? 'auto');
    localStorage.setItem(key, this.choice);
  }

  #set(theme: Theme): void {
    this.choice = theme;
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }
}

export const theme = new ThemeChoice();
