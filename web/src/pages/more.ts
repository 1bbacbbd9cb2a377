// All pages that are not opened in a hurry, in one file: together they are smaller than each for itself.

export { default as explore } from "./explore";
export { default as host } from "./host";
export { default as http } from "./http";
export { default as pools } from "./pools";
export { default as queries } from "./queries";
export { default as redis } from "./redis";
export { default as rules } from "./rules";
export { default as settings } from "./settings";
