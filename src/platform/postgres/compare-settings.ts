/** Both sides must write values in the same way, and no policy may hide rows. Compiling a scan takes longer than it saves. */
export const compareSettings = `
  set search_path = '';
  set row_security = off;
  set datestyle = iso;
  set intervalstyle = postgres;
  set extra_float_digits = 3;
  set bytea_output = hex;
  set timezone = 'UTC';
  set jit = off`;
