// Fakes that belong to the relay contracts.
export {};
