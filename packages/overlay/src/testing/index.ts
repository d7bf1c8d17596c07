// Fakes and suites that belong to the overlay contract.
export {};
