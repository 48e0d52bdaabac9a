/** How long a test waits for what must come. */

/**
 * Seconds that nothing takes which a test waits for, however slow and busy the machine is: nobody waits so long but for
 * what does not come. Whatever starts, answers or ends has this deadline, unless it has much to do.
 */
export const PATIENCE = 180;
