import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { ErrorBoundary } from './kit/error-boundary.js';
import './style/style.css';

const place = document.getElementById('page');
if (place === null) throw new Error('index.html has no element "page"');
createRoot(place).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <ErrorBoundary>
        <App />
      </ErrorBoundary>
    </CSPProvider>
  </StrictMode>,
);
