import { overlayCompliance, tempOverlay } from '../../src/testing/index.ts';

overlayCompliance('local', tempOverlay, { gapless: true });
